package command

import (
	"context"
	"os"
	"os/exec"
	"syscall"
	"time"
)

// How long an interrupted script may take to clean up before it is killed.
const graceTime = 5 * time.Second

// ProcessInputs say how a script is started on this machine.
type ProcessInputs struct {
	Interpreter  *[]string `pulumi:"interpreter,optional"`
	Dir          *string   `pulumi:"dir,optional"`
	AssetPaths   *[]string `pulumi:"assetPaths,optional"`
	ArchivePaths *[]string `pulumi:"archivePaths,optional"`
}

func (inputs ProcessInputs) run(ctx context.Context, s script) error {
	args := []string{"/bin/sh", "-c"}
	if given := valueOr(inputs.Interpreter, nil); len(given) > 0 {
		args = append([]string(nil), given...)
	}
	args = append(args, s.text)
	program := exec.CommandContext(ctx, args[0], args[1:]...)
	// Interrupted as a group, so that what the script started ends with it.
	program.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	program.Cancel = func() error {
		group := -program.Process.Pid
		time.AfterFunc(graceTime, func() { _ = syscall.Kill(group, syscall.SIGKILL) })
		return syscall.Kill(group, syscall.SIGTERM)
	}
	if inputs.Dir != nil {
		// Looked at here, since the start of the program would only say that something is not there.
		if _, err := os.Stat(*inputs.Dir); err != nil {
			return err
		}
	}
	program.Stdin, program.Stdout, program.Stderr = s.stdin, s.stdout, s.stderr
	program.Dir = valueOr(inputs.Dir, "")
	program.Env = os.Environ()
	for _, variables := range []map[string]string{s.environment, s.previous} {
		for name, value := range variables {
			program.Env = append(program.Env, name+"="+value)
		}
	}
	return program.Run()
}
