// Package langhost runs Node programs and policy packs for the engine.
package langhost

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"

	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/emptypb"
	"google.golang.org/protobuf/types/known/structpb"
)

// The exit code by which the SDK says that it has told the user of the error itself.
const exitAfterActionableMessage = 32

// Host answers the engine's requests.
type Host struct {
	pulumirpc.UnimplementedLanguageRuntimeServer
	engine string
}

// New makes a host for the engine at an address.
func New(engine string) *Host { return &Host{engine: engine} }

// Handshake has nothing to agree on: each request names its own directories.
func (h *Host) Handshake(context.Context, *pulumirpc.LanguageHandshakeRequest) (*pulumirpc.LanguageHandshakeResponse, error) {
	return &pulumirpc.LanguageHandshakeResponse{}, nil
}

// GetPluginInfo tells nothing: the host has no version apart from the engine's.
func (h *Host) GetPluginInfo(context.Context, *emptypb.Empty) (*pulumirpc.PluginInfo, error) {
	return &pulumirpc.PluginInfo{}, nil
}

// GetRequiredPackages names none: a program's resources name their plugin and its version when they are registered.
func (h *Host) GetRequiredPackages(
	context.Context, *pulumirpc.GetRequiredPackagesRequest,
) (*pulumirpc.GetRequiredPackagesResponse, error) {
	return &pulumirpc.GetRequiredPackagesResponse{}, nil
}

// GetRequiredPlugins is the older form of GetRequiredPackages.
func (h *Host) GetRequiredPlugins(
	context.Context, *pulumirpc.GetRequiredPluginsRequest,
) (*pulumirpc.GetRequiredPluginsResponse, error) {
	return &pulumirpc.GetRequiredPluginsResponse{}, nil
}

// About tells which Node runs the programs.
func (h *Host) About(ctx context.Context, _ *pulumirpc.AboutRequest) (*pulumirpc.AboutResponse, error) {
	node, err := exec.LookPath("node")
	if err != nil {
		return nil, err
	}
	version, err := exec.CommandContext(ctx, node, "--version").Output()
	if err != nil {
		return nil, err
	}
	return &pulumirpc.AboutResponse{Executable: node, Version: strings.TrimSpace(string(version))}, nil
}

// Run runs a program to its end.
func (h *Host) Run(ctx context.Context, request *pulumirpc.RunRequest) (*pulumirpc.RunResponse, error) {
	info := request.GetInfo()
	program, err := h.command(ctx, "run", info)
	if err != nil {
		return nil, err
	}
	config, err := json.Marshal(request.GetConfig())
	if err != nil {
		return nil, err
	}
	secretKeys, err := json.Marshal(request.GetConfigSecretKeys())
	if err != nil {
		return nil, err
	}
	program.Args = append(program.Args,
		"--monitor", request.GetMonitorAddress(),
		"--engine", h.engine,
		"--project", request.GetProject(),
		"--root-directory", info.GetRootDirectory(),
		"--stack", request.GetStack(),
		"--organization", request.GetOrganization(),
		"--pwd", request.GetPwd(),
		"--parallel", strconv.Itoa(int(request.GetParallel())),
	)
	if request.GetDryRun() {
		program.Args = append(program.Args, "--dry-run")
	}
	program.Args = append(program.Args, info.GetEntryPoint())
	program.Args = append(program.Args, request.GetArgs()...)
	program.Dir = request.GetPwd()
	program.Env = append(program.Env, "PULUMI_CONFIG="+string(config), "PULUMI_CONFIG_SECRET_KEYS="+string(secretKeys))
	program.Stdout, program.Stderr = os.Stdout, os.Stderr
	if err := program.Run(); err != nil {
		return runFailure(err), nil
	}
	return &pulumirpc.RunResponse{}, nil
}

func runFailure(err error) *pulumirpc.RunResponse {
	exit, ok := err.(*exec.ExitError)
	if !ok {
		return &pulumirpc.RunResponse{Error: fmt.Sprintf("the program could not be started: %v", err)}
	}
	if exit.ExitCode() == exitAfterActionableMessage {
		return &pulumirpc.RunResponse{Bail: true}
	}
	return &pulumirpc.RunResponse{Error: fmt.Sprintf("the program ended with %v", exit)}
}

// command is `node` on one of the SDK's entry points, as the program's own node_modules has it.
func (h *Host) command(ctx context.Context, entry string, info *pulumirpc.ProgramInfo) (*exec.Cmd, error) {
	node, err := exec.LookPath("node")
	if err != nil {
		return nil, status.Error(codes.FailedPrecondition, "node is not on PATH; install Node 22.18 or newer")
	}
	resolve := exec.CommandContext(ctx, node, "--print", fmt.Sprintf("require.resolve('@pulumi/pulumi/cmd/%s')", entry))
	resolve.Dir = info.GetProgramDirectory()
	path, err := resolve.Output()
	if err != nil {
		return nil, status.Errorf(codes.FailedPrecondition,
			"@pulumi/pulumi is not installed in %s; run npm ci there", info.GetProgramDirectory())
	}
	options := info.GetOptions().GetFields()
	args := strings.Fields(options["nodeargs"].GetStringValue())
	command := exec.CommandContext(ctx, node, append(args, strings.TrimSpace(string(path)))...)
	command.Dir = info.GetProgramDirectory()
	command.Env = append(os.Environ(), "PULUMI_NODEJS_TYPESCRIPT="+strconv.FormatBool(typescript(options)))
	return command, nil
}

// typescript is true unless the options say otherwise, as in the official host.
func typescript(options map[string]*structpb.Value) bool {
	value, ok := options["typescript"]
	if !ok {
		return true
	}
	if text, isText := value.GetKind().(*structpb.Value_StringValue); isText {
		return text.StringValue != "false"
	}
	return value.GetBoolValue()
}
