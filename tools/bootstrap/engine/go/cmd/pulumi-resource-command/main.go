// Command pulumi-resource-command is the command provider, for a machine where the official one cannot be had.
package main

import (
	"context"
	"fmt"
	"os"

	p "github.com/pulumi/pulumi-go-provider"

	"autollm.local/engine/command"
	"autollm.local/engine/version"
)

func main() {
	if err := p.RunProvider(context.Background(), "command", version.Command, command.Provider()); err != nil {
		fmt.Fprintln(os.Stderr, "pulumi-resource-command:", err)
		os.Exit(1)
	}
}
