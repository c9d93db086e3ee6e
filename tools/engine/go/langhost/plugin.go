package langhost

import (
	"errors"
	"os/exec"
	"sync"

	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
)

// RunPlugin runs a provider, or a policy pack, that is written for Node, and passes on what it prints.
func (h *Host) RunPlugin(request *pulumirpc.RunPluginRequest, stream pulumirpc.LanguageRuntime_RunPluginServer) error {
	info := request.GetInfo()
	entry, pwd := "run-plugin", request.GetPwd()
	args := append([]string{info.GetProgramDirectory()}, request.GetArgs()...)
	if request.GetKind() == "analyzer" {
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
	code := 0
	if err := plugin.Run(); err != nil {
		var exit *exec.ExitError
		if !errors.As(err, &exit) {
			return err
		}
		code = exit.ExitCode()
	}
	return out.send(&pulumirpc.RunPluginResponse{Output: &pulumirpc.RunPluginResponse_Exitcode{Exitcode: int32(code)}})
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
