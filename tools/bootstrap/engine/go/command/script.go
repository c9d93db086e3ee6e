package command

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
)

// ScriptInputs are what local and remote commands have in common.
type ScriptInputs struct {
	Create                 *string            `pulumi:"create,optional"`
	Update                 *string            `pulumi:"update,optional"`
	Delete                 *string            `pulumi:"delete,optional"`
	Environment            *map[string]string `pulumi:"environment,optional"`
	Stdin                  *string            `pulumi:"stdin,optional"`
	Logging                *Logging           `pulumi:"logging,optional"`
	AddPreviousOutputInEnv *bool              `pulumi:"addPreviousOutputInEnv,optional"`
	Triggers               *[]any             `pulumi:"triggers,optional" provider:"replaceOnChanges"`
}

// ScriptOutputs are what a script printed.
type ScriptOutputs struct {
	Stdout string `pulumi:"stdout"`
	Stderr string `pulumi:"stderr"`
}

// script is one run of a script.
type script struct {
	text        string
	environment map[string]string
	// previous is what the last script printed, for the environment too. A host that refuses it gets the script without it.
	previous map[string]string
	stdin    io.Reader
	stdout   io.Writer
	stderr   io.Writer
}

// runner runs a script here or elsewhere.
type runner func(ctx context.Context, s script) error

// execute runs the script of one step. Without one there is nothing to do, and the outputs stay as they were.
func execute(ctx context.Context, run runner, text *string, inputs ScriptInputs, before ScriptOutputs) (ScriptOutputs, error) {
	if text == nil {
		return before, nil
	}
	s := script{text: *text, environment: valueOr(inputs.Environment, nil), previous: map[string]string{}}
	if valueOr(inputs.AddPreviousOutputInEnv, true) {
		if before.Stdout != "" {
			s.previous["PULUMI_COMMAND_STDOUT"] = before.Stdout
		}
		if before.Stderr != "" {
			s.previous["PULUMI_COMMAND_STDERR"] = before.Stderr
		}
	}
	if stdin := valueOr(inputs.Stdin, ""); stdin != "" {
		s.stdin = strings.NewReader(stdin)
	}
	out := newRecord(ctx, valueOr(inputs.Logging, LogBoth))
	s.stdout, s.stderr = out.stdout(), out.stderr()
	err := run(ctx, s)
	out.close()
	if err != nil {
		return before, fmt.Errorf("%w: running %q:\n%s", err, *text, out.all())
	}
	return out.outputs(), nil
}

// created runs the script of a new resource and gives it its id. A preview runs nothing.
func created(ctx context.Context, name string, preview bool, run runner, inputs ScriptInputs) (string, ScriptOutputs, error) {
	if preview {
		return "", ScriptOutputs{}, nil
	}
	id, err := resource.NewUniqueHex(name, 8, 0)
	if err != nil {
		return "", ScriptOutputs{}, err
	}
	outputs, err := execute(ctx, run, inputs.Create, inputs, ScriptOutputs{})
	return id, outputs, err
}

// updated runs `update` or, where there is none, `create` again. A preview runs nothing.
func updated(ctx context.Context, preview bool, run runner, inputs ScriptInputs, before ScriptOutputs) (ScriptOutputs, error) {
	if preview {
		return before, nil
	}
	text := inputs.Update
	if text == nil {
		text = inputs.Create
	}
	return execute(ctx, run, text, inputs, before)
}

func valueOr[T any](pointer *T, fallback T) T {
	if pointer == nil {
		return fallback
	}
	return *pointer
}
