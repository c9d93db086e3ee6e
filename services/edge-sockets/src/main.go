// edge-sockets holds the sockets of the edge's published ports and hands them to one Caddy after another, as systemd does by
// socket activation. The ports, the addresses of the clients and what waits in a queue stay while a Caddy is replaced.
//
//	edge-sockets hold DIR SOCKET...    makes the sockets, and serves them in DIR
//	edge-sockets run DIR COMMAND...    takes the sockets of one place, and runs a program that finds them from descriptor 3 on
//	edge-sockets healthy DIR           ends with 0 when they are served
//
// A SOCKET is `tcp:[HOST]:PORT` or `udp:[HOST]:PORT`; without a host it is `tcp::PORT`.
package main

import (
	"fmt"
	"log"
	"os"
)

const usage = `usage:
  edge-sockets hold DIR SOCKET...
  edge-sockets run DIR COMMAND...
  edge-sockets healthy DIR`

func main() {
	log.SetFlags(0)
	args := os.Args[1:]
	var err error
	switch {
	case len(args) >= 3 && args[0] == "hold":
		err = hold(args[1], args[2:])
	case len(args) >= 3 && args[0] == "run":
		err = run(args[1], args[2:])
	case len(args) == 1 && args[0] == "help":
		fmt.Println(usage)
	case len(args) == 2 && args[0] == "healthy":
		err = healthy(args[1])
	default:
		fmt.Fprintln(os.Stderr, usage)
		os.Exit(64)
	}
	if err != nil {
		log.Fatal(err)
	}
}
