package command

import (
	"context"

	"github.com/pulumi/pulumi-go-provider/infer"
)

// LocalCommand runs scripts on this machine.
type LocalCommand struct{}

// LocalInputs are local.Command's inputs.
type LocalInputs struct {
	ScriptInputs
	ProcessInputs
}

// LocalState is what is kept of a local.Command.
type LocalState struct {
	LocalInputs
	ScriptOutputs
	FileOutputs
}

// Annotate gives the official token.
func (c *LocalCommand) Annotate(a infer.Annotator) { a.SetToken("local", "Command") }

// Create runs `create`.
func (c LocalCommand) Create(ctx context.Context, request infer.CreateRequest[LocalInputs]) (infer.CreateResponse[LocalState], error) {
	inputs := request.Inputs
	response := infer.CreateResponse[LocalState]{Output: LocalState{LocalInputs: inputs}}
	var err error
	response.ID, response.Output.ScriptOutputs, err = created(ctx, request.Name, request.DryRun, inputs.run, inputs.ScriptInputs)
	if err == nil && !request.DryRun && inputs.Create != nil {
		response.Output.FileOutputs, err = inputs.files()
	}
	return response, err
}

// Update runs `update` or, where there is none, `create` again.
func (c LocalCommand) Update(
	ctx context.Context, request infer.UpdateRequest[LocalInputs, LocalState],
) (infer.UpdateResponse[LocalState], error) {
	inputs, state := request.Inputs, request.State
	response := infer.UpdateResponse[LocalState]{Output: LocalState{inputs, state.ScriptOutputs, state.FileOutputs}}
	var err error
	response.Output.ScriptOutputs, err = updated(ctx, request.DryRun, inputs.run, inputs.ScriptInputs, state.ScriptOutputs)
	if err == nil && !request.DryRun && (inputs.Update != nil || inputs.Create != nil) {
		response.Output.FileOutputs, err = inputs.files()
	}
	return response, err
}

// Delete runs `delete` as it was when the resource was last created or updated.
func (c LocalCommand) Delete(ctx context.Context, request infer.DeleteRequest[LocalState]) (infer.DeleteResponse, error) {
	state := request.State
	_, err := execute(ctx, state.run, state.Delete, state.ScriptInputs, state.ScriptOutputs)
	return infer.DeleteResponse{}, err
}

// WireDependencies leaves what a script makes unknown in a preview whenever it will run.
func (c LocalCommand) WireDependencies(f infer.FieldSelector, inputs *LocalInputs, state *LocalState) {
	made := []any{&state.Stdout, &state.Stderr, &state.Assets, &state.Archive}
	wire(f, append(scriptFields(&inputs.ScriptInputs, &state.ScriptInputs),
		field{&inputs.Interpreter, &state.Interpreter},
		field{&inputs.Dir, &state.Dir},
		field{&inputs.AssetPaths, &state.AssetPaths},
		field{&inputs.ArchivePaths, &state.ArchivePaths},
	), made)
}
