package command

import "github.com/pulumi/pulumi-go-provider/infer"

// field is an input and the output that repeats it.
type field struct{ input, output any }

func scriptFields(inputs, kept *ScriptInputs) []field {
	return []field{
		{&inputs.Create, &kept.Create},
		{&inputs.Update, &kept.Update},
		{&inputs.Delete, &kept.Delete},
		{&inputs.Environment, &kept.Environment},
		{&inputs.Stdin, &kept.Stdin},
		{&inputs.Logging, &kept.Logging},
		{&inputs.AddPreviousOutputInEnv, &kept.AddPreviousOutputInEnv},
		{&inputs.Triggers, &kept.Triggers},
	}
}

// wire says which output follows from which input. What a script makes may hold any of its inputs, so it is as secret and as
// unknown as they are. A connection is not among them: it is secret always, and no script sees it.
func wire(f infer.FieldSelector, fields []field, made []any) {
	for _, field := range fields {
		f.OutputField(field.output).DependsOn(f.InputField(field.input))
		for _, output := range made {
			f.OutputField(output).DependsOn(f.InputField(field.input))
		}
	}
}
