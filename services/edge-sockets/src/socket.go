package main

import (
	"fmt"
	"net"
	"strings"

	"golang.org/x/sys/unix"
)

// backlog is the most connections that wait until somebody takes them: the kernel's own limit (net.core.somaxconn).
const backlog = 4096

// group is one address and port, with a socket for each place. The kernel asks a program of the group's which of them a new
// connection or a datagram is for (SO_ATTACH_REUSEPORT_CBPF). No socket of a group is ever closed, so a place keeps its number.
type group struct {
	network string
	address *net.TCPAddr
	sockets []int
}

func openGroup(spec string, places int) (*group, error) {
	network, text, _ := strings.Cut(spec, ":")
	if network != "tcp" && network != "udp" {
		return nil, fmt.Errorf("%s: a socket is tcp:[HOST]:PORT or udp:[HOST]:PORT", spec)
	}
	address, err := net.ResolveTCPAddr("tcp4", text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", spec, err)
	}
	made := &group{network: network, address: address}
	for range places {
		socket, err := made.open()
		if err != nil {
			return nil, fmt.Errorf("%s: %w", spec, err)
		}
		made.sockets = append(made.sockets, socket)
		// As soon as there is one: a second socket would get its part of what comes in, and nobody would look there.
		if err := made.choose(0); err != nil {
			return nil, fmt.Errorf("%s: %w", spec, err)
		}
	}
	return made, nil
}

func (g *group) open() (int, error) {
	kind := unix.SOCK_STREAM
	if g.network == "udp" {
		kind = unix.SOCK_DGRAM
	}
	socket, err := unix.Socket(unix.AF_INET, kind|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return 0, err
	}
	for _, option := range []int{unix.SO_REUSEADDR, unix.SO_REUSEPORT} {
		if err := unix.SetsockoptInt(socket, unix.SOL_SOCKET, option, 1); err != nil {
			return 0, err
		}
	}
	at := &unix.SockaddrInet4{Port: g.address.Port}
	copy(at.Addr[:], g.address.IP.To4())
	if err := unix.Bind(socket, at); err != nil {
		return 0, err
	}
	if g.network == "tcp" {
		err = unix.Listen(socket, backlog)
	}
	return socket, err
}

// choose has the kernel give what is new to one place (TCP), or each datagram to the place that its mark names (UDP).
func (g *group) choose(place int) error {
	program := []unix.SockFilter{{Code: unix.BPF_RET | unix.BPF_K, K: uint32(place)}}
	if g.network == "udp" {
		program = []unix.SockFilter{
			{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: uint32(markWord & 0xffffffff)},
			{Code: unix.BPF_RET | unix.BPF_A},
		}
	}
	return unix.SetsockoptSockFprog(g.sockets[0], unix.SOL_SOCKET, unix.SO_ATTACH_REUSEPORT_CBPF,
		&unix.SockFprog{Len: uint16(len(program)), Filter: &program[0]})
}

// empty ends what waits at a place.
func (g *group) empty(place int) {
	for {
		var err error
		if g.network == "tcp" {
			var connection int
			if connection, _, err = unix.Accept4(g.sockets[place], unix.SOCK_CLOEXEC); err == nil {
				unix.Close(connection)
			}
		} else {
			_, _, err = unix.Recvfrom(g.sockets[place], make([]byte, 1), unix.MSG_DONTWAIT)
		}
		if err != nil && err != unix.EINTR {
			return
		}
	}
}

// markWord is where such a program finds a datagram's mark: SKF_AD_OFF + SKF_AD_MARK of linux/filter.h.
const markWord = -0x1000 + 20
