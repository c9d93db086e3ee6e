package command

import (
	"context"
	"errors"
	"fmt"

	p "github.com/pulumi/pulumi-go-provider"
	"github.com/pulumi/pulumi-go-provider/infer"
	"golang.org/x/crypto/ssh"
)

// RemoteCommand runs scripts over SSH.
type RemoteCommand struct{}

// RemoteInputs are remote.Command's inputs.
type RemoteInputs struct {
	ScriptInputs
	Connection *Connection `pulumi:"connection" provider:"secret"`
}

// RemoteState is what is kept of a remote.Command.
type RemoteState struct {
	RemoteInputs
	ScriptOutputs
}

// Annotate gives the official token.
func (c *RemoteCommand) Annotate(a infer.Annotator) { a.SetToken("remote", "Command") }

// Create runs `create`.
func (c RemoteCommand) Create(ctx context.Context, request infer.CreateRequest[RemoteInputs]) (infer.CreateResponse[RemoteState], error) {
	inputs := request.Inputs
	response := infer.CreateResponse[RemoteState]{Output: RemoteState{RemoteInputs: inputs}}
	var err error
	response.ID, response.Output.ScriptOutputs, err = created(ctx, request.Name, request.DryRun, inputs.run, inputs.ScriptInputs)
	return response, err
}

// Update runs `update` or, where there is none, `create` again.
func (c RemoteCommand) Update(
	ctx context.Context, request infer.UpdateRequest[RemoteInputs, RemoteState],
) (infer.UpdateResponse[RemoteState], error) {
	inputs, before := request.Inputs, request.State.ScriptOutputs
	response := infer.UpdateResponse[RemoteState]{Output: RemoteState{inputs, before}}
	var err error
	response.Output.ScriptOutputs, err = updated(ctx, request.DryRun, inputs.run, inputs.ScriptInputs, before)
	return response, err
}

// Delete runs `delete` as it was when the resource was last created or updated.
func (c RemoteCommand) Delete(ctx context.Context, request infer.DeleteRequest[RemoteState]) (infer.DeleteResponse, error) {
	state := request.State
	_, err := execute(ctx, state.run, state.Delete, state.ScriptInputs, state.ScriptOutputs)
	return infer.DeleteResponse{}, err
}

// WireDependencies leaves what is printed unknown in a preview whenever the script will run.
func (c RemoteCommand) WireDependencies(f infer.FieldSelector, inputs *RemoteInputs, state *RemoteState) {
	wire(f, scriptFields(&inputs.ScriptInputs, &state.ScriptInputs), []any{&state.Stdout, &state.Stderr})
	f.OutputField(&state.Connection).DependsOn(f.InputField(&inputs.Connection))
	for _, printed := range []any{&state.Stdout, &state.Stderr} {
		f.OutputField(printed).DependsOn(f.InputField(&inputs.Connection).Computed())
	}
}

func (inputs RemoteInputs) run(ctx context.Context, s script) error {
	client, err := inputs.Connection.dial(ctx)
	if err != nil {
		return err
	}
	defer client.Close()
	session, err := client.NewSession()
	if err != nil {
		return err
	}
	defer session.Close()
	for name, value := range s.environment {
		if err := session.Setenv(name, value); err != nil {
			return fmt.Errorf("the host refuses the environment variable %s: sshd's AcceptEnv must name it: %w", name, err)
		}
	}
	for name, value := range s.previous {
		if err := session.Setenv(name, value); err != nil {
			p.GetLogger(ctx).Warningf("the host refuses %s, so the script runs without it: name it in sshd's AcceptEnv, "+
				"or set addPreviousOutputInEnv to false", name)
		}
	}
	session.Stdin, session.Stdout, session.Stderr = s.stdin, s.stdout, s.stderr
	return wait(ctx, session, s.text)
}

// wait runs the script and ends it when the engine is interrupted.
func wait(ctx context.Context, session *ssh.Session, text string) error {
	if err := session.Start(text); err != nil {
		return err
	}
	done := make(chan error, 1)
	go func() { done <- session.Wait() }()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return errors.Join(ctx.Err(), session.Signal(ssh.SIGTERM))
	}
}
