package command

import (
	"context"

	"github.com/pulumi/pulumi-go-provider/infer"
)

// Run runs a script at every preview and every up, and keeps nothing.
type Run struct{}

// RunInputs are local.run's arguments.
type RunInputs struct {
	ProcessInputs
	Command                string             `pulumi:"command"`
	Environment            *map[string]string `pulumi:"environment,optional"`
	Stdin                  *string            `pulumi:"stdin,optional"`
	Logging                *Logging           `pulumi:"logging,optional"`
	AddPreviousOutputInEnv *bool              `pulumi:"addPreviousOutputInEnv,optional"`
}

// RunResult is what local.run returns.
type RunResult struct {
	RunInputs
	ScriptOutputs
	FileOutputs
}

// Annotate gives the official token.
func (r *Run) Annotate(a infer.Annotator) { a.SetToken("local", "run") }

// Invoke runs the script.
func (r Run) Invoke(ctx context.Context, request infer.FunctionRequest[RunInputs]) (infer.FunctionResponse[RunResult], error) {
	inputs := request.Input
	response := infer.FunctionResponse[RunResult]{Output: RunResult{RunInputs: inputs}}
	asScript := ScriptInputs{Environment: inputs.Environment, Stdin: inputs.Stdin, Logging: inputs.Logging}
	var err error
	response.Output.ScriptOutputs, err = execute(ctx, inputs.run, &inputs.Command, asScript, ScriptOutputs{})
	if err == nil {
		response.Output.FileOutputs, err = inputs.files()
	}
	return response, err
}
