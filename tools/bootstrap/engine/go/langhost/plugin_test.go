package langhost

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
)

// output is the engine's end of what a plugin prints.
type output struct {
	grpc.ServerStream
	ctx   context.Context
	lines chan string
}

func (o *output) Context() context.Context { return o.ctx }

func (o *output) Send(response *pulumirpc.RunPluginResponse) error {
	if chunk := response.GetStdout(); chunk != nil {
		o.lines <- string(chunk)
	}
	return nil
}

func TestAPolicyPackIsToldTheStacksConfigBeforeItStarts(t *testing.T) {
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	// The pack's own server answers nothing, as packs of an older SDK do.
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer()
	pulumirpc.RegisterAnalyzerServer(server, pulumirpc.UnimplementedAnalyzerServer{})
	go func() { _ = server.Serve(listener) }()
	defer server.Stop()
	port := listener.Addr().(*net.TCPAddr).Port
	folder := program(t, "run-policy-pack", fmt.Sprintf(
		`const { env } = process; require("fs").writeFileSync("told", [env.PULUMI_CONFIG, env.PULUMI_CONFIG_SECRET_KEYS,
			env.PULUMI_NODEJS_STACK, env.PULUMI_NODEJS_PROJECT, env.PULUMI_NODEJS_ORGANIZATION, env.PULUMI_NODEJS_DRY_RUN].join(" "));
			console.log(%d); setTimeout(() => undefined, 500)`, port))

	out := &output{ctx: ctx, lines: make(chan string, 16)}
	ended := make(chan error, 1)
	go func() {
		ended <- New("engine:1").RunPlugin(&pulumirpc.RunPluginRequest{Kind: "analyzer", Info: info(t, folder, nil)}, out)
	}()
	connection, err := grpc.NewClient("127.0.0.1:"+strings.TrimSpace(<-out.lines), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = connection.Close() }()
	if _, err := pulumirpc.NewAnalyzerClient(connection).ConfigureStack(ctx, &pulumirpc.AnalyzerStackConfigureRequest{
		Stack: "s", Project: "p", Organization: "o", DryRun: true,
		Config: map[string]string{"p:key": "value"}, ConfigSecretKeys: []string{"p:key"},
	}); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	told, _ := os.ReadFile(filepath.Join(folder, "told"))
	if want := `{"p:key":"value"} ["p:key"] s p o true`; string(told) != want {
		t.Fatalf("it was told %s", told)
	}
}
