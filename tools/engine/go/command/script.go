package command

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"strings"
	"sync"

	p "github.com/pulumi/pulumi-go-provider"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
)

// ScriptInputs are what local and remote commands have in common.
type ScriptInputs struct {
	Create                 *string            `pulumi:"create,optional"`
	Update                 *string            `pulumi:"update,optional"`
	Delete                 *string            `pulumi:"delete,optional"`
	Environment            *map[string]string `pulumi:"environment,optional"`
	Stdin                  *string            `pulumi:"stdin,optional"`
	Logging                *string            `pulumi:"logging,optional"`
	AddPreviousOutputInEnv *bool              `pulumi:"addPreviousOutputInEnv,optional"`
	Triggers               *[]any             `pulumi:"triggers,optional" provider:"replaceOnChanges"`
}

// ScriptOutputs are what a script printed.
type ScriptOutputs struct {
	Stdout string `pulumi:"stdout"`
	Stderr string `pulumi:"stderr"`
}

// runner runs one script with an environment and gives its output to the writers.
type runner func(ctx context.Context, script string, environment map[string]string, stdin io.Reader, out, err io.Writer) error

// execute runs the script of one step. Without one there is nothing to do, and the outputs stay as they were.
func execute(
	ctx context.Context, run runner, script *string, inputs ScriptInputs, previous *ScriptOutputs,
) (ScriptOutputs, error) {
	if script == nil {
		if previous == nil {
			return ScriptOutputs{}, nil
		}
		return *previous, nil
	}
	environment := map[string]string{}
	if inputs.Environment != nil {
		for name, value := range *inputs.Environment {
			environment[name] = value
		}
	}
	addPrevious := inputs.AddPreviousOutputInEnv == nil || *inputs.AddPreviousOutputInEnv
	if previous != nil && addPrevious {
		environment["PULUMI_COMMAND_STDOUT"] = previous.Stdout
		environment["PULUMI_COMMAND_STDERR"] = previous.Stderr
	}
	var stdin io.Reader
	if inputs.Stdin != nil {
		stdin = strings.NewReader(*inputs.Stdin)
	}
	showOut, showErr := shown(inputs.Logging)
	stdout := newCapture(ctx, showOut)
	stderr := newCapture(ctx, showErr)
	err := run(ctx, *script, environment, stdin, stdout, stderr)
	stdout.flush()
	stderr.flush()
	outputs := ScriptOutputs{Stdout: stdout.text(), Stderr: stderr.text()}
	if err != nil {
		return outputs, fmt.Errorf("%w: running %q:\n%s%s", err, *script, stdout.String(), stderr.String())
	}
	return outputs, nil
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
	outputs, err := execute(ctx, run, inputs.Create, inputs, nil)
	return id, outputs, err
}

// updated runs `update` or, where there is none, `create` again. A preview runs nothing.
func updated(ctx context.Context, preview bool, run runner, inputs ScriptInputs, previous ScriptOutputs) (ScriptOutputs, error) {
	if preview {
		return previous, nil
	}
	script := inputs.Update
	if script == nil {
		script = inputs.Create
	}
	return execute(ctx, run, script, inputs, &previous)
}

// shown tells which outputs the user sees while the script runs: both, unless `logging` says otherwise.
func shown(logging *string) (stdout, stderr bool) {
	if logging == nil {
		return true, true
	}
	switch *logging {
	case "none":
		return false, false
	case "stdout":
		return true, false
	case "stderr":
		return false, true
	default:
		return true, true
	}
}

// capture keeps what is written and, where wanted, logs each line as it comes.
type capture struct {
	bytes.Buffer
	mutex sync.Mutex
	log   *io.PipeWriter
	done  chan struct{}
}

func newCapture(ctx context.Context, show bool) *capture {
	c := &capture{}
	if !show {
		return c
	}
	reader, writer := io.Pipe()
	c.log, c.done = writer, make(chan struct{})
	go func() {
		defer close(c.done)
		lines := bufio.NewScanner(reader)
		lines.Buffer(nil, 1<<20)
		for lines.Scan() {
			p.GetLogger(ctx).Info(lines.Text())
		}
		_, _ = io.Copy(io.Discard, reader)
	}()
	return c
}

func (c *capture) Write(chunk []byte) (int, error) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	if c.log != nil {
		_, _ = c.log.Write(chunk)
	}
	return c.Buffer.Write(chunk)
}

func (c *capture) flush() {
	if c.log != nil {
		_ = c.log.Close()
		<-c.done
	}
}

// text is the output without the newline that ends it, as the official provider returns it.
func (c *capture) text() string { return strings.TrimSuffix(c.String(), "\n") }
