package langhost

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"google.golang.org/protobuf/types/known/structpb"
)

func write(t *testing.T, text string, path ...string) {
	t.Helper()
	file := filepath.Join(path...)
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// program makes a folder with a Node program whose SDK is a script of the test's.
func program(t *testing.T, entry, script string) string {
	t.Helper()
	folder := t.TempDir()
	write(t, `{"name":"program","dependencies":{"@pulumi/pulumi":"^3.0.0","absent":"1.0.0"}}`, folder, "package.json")
	write(t, `{"name":"@pulumi/pulumi","version":"3.270.0"}`, folder, "node_modules", "@pulumi", "pulumi", "package.json")
	write(t, script, folder, "node_modules", "@pulumi", "pulumi", "cmd", entry, "index.js")
	return folder
}

func info(t *testing.T, folder string, options map[string]any) *pulumirpc.ProgramInfo {
	t.Helper()
	fields, err := structpb.NewStruct(options)
	if err != nil {
		t.Fatal(err)
	}
	return &pulumirpc.ProgramInfo{RootDirectory: folder, ProgramDirectory: folder, EntryPoint: ".", Options: fields}
}

func runProgram(t *testing.T, script string, options map[string]any) (*pulumirpc.RunResponse, string) {
	t.Helper()
	folder := program(t, "run", script)
	response, err := New("engine:1").Run(context.Background(), &pulumirpc.RunRequest{
		Info: info(t, folder, options), Pwd: folder, Project: "p", Stack: "s", Organization: "o", MonitorAddress: "monitor:2", Parallel: 7, DryRun: true,
		Config: map[string]string{"p:key": "value"}, ConfigSecretKeys: []string{"p:key"},
	})
	if err != nil {
		t.Fatal(err)
	}
	text, _ := os.ReadFile(filepath.Join(folder, "told"))
	return response, string(text)
}

func TestAProgramIsToldAllThatTheEngineSaid(t *testing.T) {
	response, told := runProgram(t,
		`const { env } = process; require("fs").writeFileSync("told", [...process.execArgv, ...process.argv.slice(2),
			env.PULUMI_CONFIG, env.PULUMI_CONFIG_SECRET_KEYS, env.PULUMI_NODEJS_TYPESCRIPT].join(" "))`,
		map[string]any{"typescript": false, "nodeargs": "--no-deprecation --trace-uncaught"})
	if response.GetError() != "" {
		t.Fatal(response.GetError())
	}
	for _, part := range []string{
		"--no-deprecation --trace-uncaught ", "--monitor monitor:2", "--engine engine:1", "--project p", "--stack s", "--organization o",
		"--parallel 7", "--dry-run .", `{"p:key":"value"}`, `["p:key"]`, "false",
	} {
		if !strings.Contains(told, part) {
			t.Errorf("it was not told %s: %s", part, told)
		}
	}
}

func TestAProgramsEndIsTold(t *testing.T) {
	if response, _ := runProgram(t, "process.exit(3)", nil); !strings.Contains(response.GetError(), "3") {
		t.Errorf("exit code 3: %v", response)
	}
	if response, _ := runProgram(t, "process.exit(32)", nil); !response.GetBail() || response.GetError() != "" {
		t.Errorf("exit code 32, of which the SDK has told the user: %v", response)
	}
}

func TestTypeScriptIsOnUnlessTheOptionsSayOtherwise(t *testing.T) {
	for _, test := range []struct {
		options map[string]any
		want    string
	}{
		{nil, "true"}, {map[string]any{"typescript": true}, "true"}, {map[string]any{"typescript": false}, "false"},
		{map[string]any{"typescript": "false"}, "false"},
	} {
		_, told := runProgram(t, `require("fs").writeFileSync("told", process.env.PULUMI_NODEJS_TYPESCRIPT)`, test.options)
		if told != test.want {
			t.Errorf("%v: %s", test.options, told)
		}
	}
}

func TestAProgramWithoutTheSDKSaysWhatToDo(t *testing.T) {
	folder := t.TempDir()
	_, err := New("engine:1").Run(context.Background(), &pulumirpc.RunRequest{Info: info(t, folder, nil), Pwd: folder})
	if err == nil || !strings.Contains(err.Error(), "npm ci") {
		t.Fatal(err)
	}
}

func TestWithoutNodeTheErrorSaysSo(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	folder := t.TempDir()
	_, err := New("engine:1").Run(context.Background(), &pulumirpc.RunRequest{Info: info(t, folder, nil), Pwd: folder})
	if err == nil || !strings.Contains(err.Error(), "node is not on PATH") {
		t.Fatal(err)
	}
}

func TestDependenciesCarryTheVersionThatIsInstalled(t *testing.T) {
	folder := program(t, "run", "")
	// The local stack's project holds the program as a link into the clone.
	project := t.TempDir()
	if err := os.Symlink(folder, filepath.Join(project, "program")); err != nil {
		t.Fatal(err)
	}
	response, err := New("").GetProgramDependencies(context.Background(), &pulumirpc.GetProgramDependenciesRequest{
		Info: &pulumirpc.ProgramInfo{ProgramDirectory: project, EntryPoint: "program/index.ts"},
	})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, dependency := range response.GetDependencies() {
		got = append(got, dependency.GetName()+" "+dependency.GetVersion())
	}
	if want := []string{"@pulumi/pulumi 3.270.0", "absent 1.0.0"}; !slices.Equal(got, want) {
		t.Fatalf("they are %v", got)
	}
}

func TestNpmFollowsTheLockFileWhereThereIsOne(t *testing.T) {
	folder := t.TempDir()
	if got := installArgs(folder); got[0] != "install" {
		t.Errorf("without: %v", got)
	}
	write(t, "{}", folder, "package-lock.json")
	if got := installArgs(folder); got[0] != "ci" {
		t.Errorf("with: %v", got)
	}
}

func TestAboutTellsWhichNodeRuns(t *testing.T) {
	node, err := exec.LookPath("node")
	if err != nil {
		t.Fatal("node is missing: install Node 22.18 or newer, these tests run programs with it")
	}
	response, err := New("").About(context.Background(), &pulumirpc.AboutRequest{})
	if err != nil || response.GetExecutable() != node || !strings.HasPrefix(response.GetVersion(), "v") {
		t.Fatal(response, err)
	}
}
