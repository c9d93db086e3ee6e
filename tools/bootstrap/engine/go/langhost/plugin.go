package langhost

import (
	"context"
	"encoding/json"
	"errors"
	"os/exec"
	"strconv"
	"sync"

	sdk "github.com/pulumi/pulumi/sdk/v3"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
)

// RunPlugin runs a provider, or a policy pack, that is written for Node, and passes on what it prints.
func (h *Host) RunPlugin(request *pulumirpc.RunPluginRequest, stream pulumirpc.LanguageRuntime_RunPluginServer) error {
	info := request.GetInfo()
	isPolicyPack := request.GetKind() == "analyzer"
	entry, pwd := "run-plugin", request.GetPwd()
	args := append([]string{info.GetProgramDirectory()}, request.GetArgs()...)
	if isPolicyPack {
		// A policy pack runs in its own folder and is told the engine and `.`.
		entry, pwd = "run-policy-pack", info.GetProgramDirectory()
		args = []string{h.engine, "."}
	}
	plugin, err := h.command(stream.Context(), entry, info)
	if err != nil {
		return err
	}
	plugin.Args = append(plugin.Args, args...)
	plugin.Dir = pwd
	plugin.Env = append(plugin.Env, request.GetEnv()...)
	out := &sender{stream: stream}
	plugin.Stdout = writer(func(chunk []byte) error {
		return out.send(&pulumirpc.RunPluginResponse{Output: &pulumirpc.RunPluginResponse_Stdout{Stdout: chunk}})
	})
	plugin.Stderr = writer(func(chunk []byte) error {
		return out.send(&pulumirpc.RunPluginResponse{Output: &pulumirpc.RunPluginResponse_Stderr{Stderr: chunk}})
	})
	run := plugin.Run
	if isPolicyPack {
		run = func() error { return runPolicyPack(stream.Context(), plugin) }
	}
	code := 0
	if err := run(); err != nil {
		var exit *exec.ExitError
		if !errors.As(err, &exit) {
			return err
		}
		code = exit.ExitCode()
	}
	return out.send(&pulumirpc.RunPluginResponse{Output: &pulumirpc.RunPluginResponse_Exitcode{Exitcode: int32(code)}})
}

// runPolicyPack starts a policy pack once the engine has told the stack's config, which the SDK's policy packs read from their
// environment when they start.
func runPolicyPack(ctx context.Context, pack *exec.Cmd) error {
	proxy, stdout, err := sdk.NewPolicyProxy(ctx, pack.Stdout)
	if err != nil {
		return err
	}
	pack.Stdout = stdout
	stack, err := proxy.AwaitConfiguration(ctx)
	if err != nil {
		return err
	}
	// None where the engine asks for no stack, as `pulumi policy publish` does.
	if stack != nil {
		environment, err := policyEnvironment(stack)
		if err != nil {
			return err
		}
		pack.Env = append(pack.Env, environment...)
	}
	if err := pack.Start(); err != nil {
		return err
	}
	return proxy.Attach(ctx, pack)
}

// policyEnvironment is what a policy pack for Node reads of the stack.
func policyEnvironment(stack *pulumirpc.AnalyzerStackConfigureRequest) ([]string, error) {
	config, err := json.Marshal(stack.GetConfig())
	if err != nil {
		return nil, err
	}
	secretKeys, err := json.Marshal(stack.GetConfigSecretKeys())
	if err != nil {
		return nil, err
	}
	return []string{
		"PULUMI_CONFIG=" + string(config),
		"PULUMI_CONFIG_SECRET_KEYS=" + string(secretKeys),
		"PULUMI_NODEJS_ORGANIZATION=" + stack.GetOrganization(),
		"PULUMI_NODEJS_PROJECT=" + stack.GetProject(),
		"PULUMI_NODEJS_STACK=" + stack.GetStack(),
		"PULUMI_NODEJS_DRY_RUN=" + strconv.FormatBool(stack.GetDryRun()),
	}, nil
}

// sender guards the stream, which takes one message at a time, against the two outputs.
type sender struct {
	mutex  sync.Mutex
	stream pulumirpc.LanguageRuntime_RunPluginServer
}

func (s *sender) send(response *pulumirpc.RunPluginResponse) error {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return s.stream.Send(response)
}

type writer func([]byte) error

func (w writer) Write(chunk []byte) (int, error) {
	// The caller uses its buffer again.
	if err := w(append([]byte(nil), chunk...)); err != nil {
		return 0, err
	}
	return len(chunk), nil
}
