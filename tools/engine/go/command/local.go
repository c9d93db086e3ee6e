package command

import (
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"syscall"
	"time"

	"github.com/pulumi/pulumi-go-provider/infer"
)

// How long a program may hold its output pipes open after it ended or was interrupted.
const pipeDelay = 5 * time.Second

// LocalCommand runs scripts on this machine.
type LocalCommand struct{}

// LocalInputs are local.Command's inputs.
type LocalInputs struct {
	ScriptInputs
	Interpreter  *[]string `pulumi:"interpreter,optional"`
	Dir          *string   `pulumi:"dir,optional"`
	AssetPaths   *[]string `pulumi:"assetPaths,optional"`
	ArchivePaths *[]string `pulumi:"archivePaths,optional"`
}

// LocalState is what is kept of a local.Command.
type LocalState struct {
	LocalInputs
	ScriptOutputs
}

// Annotate gives the official token.
func (c *LocalCommand) Annotate(a infer.Annotator) { a.SetToken("local", "Command") }

// Create runs `create`.
func (c LocalCommand) Create(ctx context.Context, request infer.CreateRequest[LocalInputs]) (infer.CreateResponse[LocalState], error) {
	response := infer.CreateResponse[LocalState]{Output: LocalState{LocalInputs: request.Inputs}}
	if request.Inputs.AssetPaths != nil || request.Inputs.ArchivePaths != nil {
		return response, errors.New("assetPaths and archivePaths are not known to this build of the command provider; " +
			"read the files in the program instead, or use the official provider")
	}
	var err error
	response.ID, response.Output.ScriptOutputs, err =
		created(ctx, request.Name, request.DryRun, localRunner(request.Inputs), request.Inputs.ScriptInputs)
	return response, err
}

// Update runs `update` or, where there is none, `create` again.
func (c LocalCommand) Update(
	ctx context.Context, request infer.UpdateRequest[LocalInputs, LocalState],
) (infer.UpdateResponse[LocalState], error) {
	response := infer.UpdateResponse[LocalState]{Output: LocalState{request.Inputs, request.State.ScriptOutputs}}
	var err error
	response.Output.ScriptOutputs, err =
		updated(ctx, request.DryRun, localRunner(request.Inputs), request.Inputs.ScriptInputs, request.State.ScriptOutputs)
	return response, err
}

// Delete runs `delete` as it was when the resource was last created or updated.
func (c LocalCommand) Delete(ctx context.Context, request infer.DeleteRequest[LocalState]) (infer.DeleteResponse, error) {
	state := request.State
	_, err := execute(ctx, localRunner(state.LocalInputs), state.Delete, state.ScriptInputs, &state.ScriptOutputs)
	return infer.DeleteResponse{}, err
}

// WireDependencies leaves what is printed unknown in a preview whenever the script will run.
func (c LocalCommand) WireDependencies(f infer.FieldSelector, inputs *LocalInputs, state *LocalState) {
	wireScript(f, &inputs.ScriptInputs, &state.ScriptInputs, &state.ScriptOutputs)
	f.OutputField(&state.Interpreter).DependsOn(f.InputField(&inputs.Interpreter))
	f.OutputField(&state.Dir).DependsOn(f.InputField(&inputs.Dir))
	f.OutputField(&state.AssetPaths).DependsOn(f.InputField(&inputs.AssetPaths))
	f.OutputField(&state.ArchivePaths).DependsOn(f.InputField(&inputs.ArchivePaths))
}

func localRunner(inputs LocalInputs) runner {
	return func(ctx context.Context, script string, environment map[string]string, stdin io.Reader, out, errOut io.Writer) error {
		interpreter := []string{"/bin/sh", "-c"}
		if inputs.Interpreter != nil && len(*inputs.Interpreter) > 0 {
			interpreter = *inputs.Interpreter
		}
		program := exec.CommandContext(ctx, interpreter[0], append(interpreter[1:len(interpreter):len(interpreter)], script)...)
		// Interrupted as a group, so that what the script started ends with it.
		program.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
		program.Cancel = func() error { return syscall.Kill(-program.Process.Pid, syscall.SIGTERM) }
		program.WaitDelay = pipeDelay
		program.Stdin, program.Stdout, program.Stderr = stdin, out, errOut
		if inputs.Dir != nil {
			program.Dir = *inputs.Dir
		}
		program.Env = os.Environ()
		for name, value := range environment {
			program.Env = append(program.Env, name+"="+value)
		}
		return program.Run()
	}
}
