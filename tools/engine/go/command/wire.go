package command

import "github.com/pulumi/pulumi-go-provider/infer"

// wireScript says which output follows from which input: an input's secret does not make every output secret, but what a
// script prints may hold any of its inputs.
func wireScript(f infer.FieldSelector, inputs, kept *ScriptInputs, printed *ScriptOutputs) {
	pairs := []struct{ output, input any }{
		{&kept.Create, &inputs.Create},
		{&kept.Update, &inputs.Update},
		{&kept.Delete, &inputs.Delete},
		{&kept.Environment, &inputs.Environment},
		{&kept.Stdin, &inputs.Stdin},
		{&kept.Logging, &inputs.Logging},
		{&kept.AddPreviousOutputInEnv, &inputs.AddPreviousOutputInEnv},
		{&kept.Triggers, &inputs.Triggers},
	}
	for _, pair := range pairs {
		f.OutputField(pair.output).DependsOn(f.InputField(pair.input))
		f.OutputField(&printed.Stdout).DependsOn(f.InputField(pair.input))
		f.OutputField(&printed.Stderr).DependsOn(f.InputField(pair.input))
	}
}
