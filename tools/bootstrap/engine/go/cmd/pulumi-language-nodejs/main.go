// Command pulumi-language-nodejs is the language host of Node programs and policy packs, for a machine where the official
// one cannot be had. It starts the SDK's own entry points; everything else is theirs.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/common/util/rpcutil"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"google.golang.org/grpc"

	"autollm.local/engine/langhost"
)

// How often the host looks whether the engine is still there.
const healthInterval = 5 * time.Minute

func main() {
	// The engine passes options of the official host, none of which changes anything here.
	flag.String("tracing", "", "ignored")
	flag.String("root", "", "ignored: the requests name it")
	flag.String("packagemanager", "", "ignored")
	flag.Bool("typescript", true, "ignored: the requests name it")
	flag.Parse()
	if flag.NArg() < 1 {
		fmt.Fprintln(os.Stderr, "pulumi-language-nodejs: it is started by pulumi, with the engine's address")
		os.Exit(64)
	}
	if err := serve(flag.Arg(0)); err != nil {
		fmt.Fprintln(os.Stderr, "pulumi-language-nodejs:", err)
		os.Exit(1)
	}
}

func serve(engine string) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	cancel := make(chan bool)
	go func() {
		<-ctx.Done()
		close(cancel)
	}()
	// The host ends with the engine that started it.
	if err := rpcutil.Healthcheck(ctx, engine, healthInterval, stop); err != nil {
		return fmt.Errorf("watching the engine at %s: %w", engine, err)
	}
	handle, err := rpcutil.ServeWithOptions(rpcutil.ServeOptions{
		Cancel: cancel,
		Init: func(server *grpc.Server) error {
			pulumirpc.RegisterLanguageRuntimeServer(server, langhost.New(engine))
			return nil
		},
	})
	if err != nil {
		return err
	}
	// The engine reads the port from the first line of standard output.
	fmt.Println(handle.Port)
	return <-handle.Done
}
