package command

import (
	"context"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pulumi/pulumi-go-provider/infer"
)

func createLocal(ctx context.Context, inputs LocalInputs) (LocalState, error) {
	inputs.Logging = pointer(LogNone)
	response, err := LocalCommand{}.Create(ctx, infer.CreateRequest[LocalInputs]{Name: "test", Inputs: inputs})
	return response.Output, err
}

func TestALocalScriptRunsInItsFolderWithItsInterpreter(t *testing.T) {
	folder := t.TempDir()
	state, err := createLocal(t.Context(), LocalInputs{
		ScriptInputs:  ScriptInputs{Create: pointer("pwd; false; cat"), Stdin: pointer("given")},
		ProcessInputs: ProcessInputs{Dir: &folder, Interpreter: &[]string{"/bin/sh", "-c"}},
	})
	if err != nil || state.Stdout != folder+"\ngiven" {
		t.Fatalf("stdout is %q, the error %v", state.Stdout, err)
	}
	_, err = createLocal(t.Context(), LocalInputs{
		ScriptInputs:  ScriptInputs{Create: pointer("pwd; false; cat")},
		ProcessInputs: ProcessInputs{Dir: &folder, Interpreter: &[]string{"/bin/sh", "-e", "-c"}},
	})
	wantError(t, err, "exit status 1", folder)
}

func TestAFolderThatIsNotThereIsAnError(t *testing.T) {
	_, err := createLocal(t.Context(), LocalInputs{
		ScriptInputs: ScriptInputs{Create: pointer("true")}, ProcessInputs: ProcessInputs{Dir: pointer("/nowhere")},
	})
	wantError(t, err, "/nowhere")
}

func TestAnInterruptedScriptEndsWithWhatItStarted(t *testing.T) {
	marker := filepath.Join(t.TempDir(), "marker")
	ctx, stop := context.WithTimeout(t.Context(), 500*time.Millisecond)
	defer stop()
	_, err := createLocal(ctx, LocalInputs{ScriptInputs: ScriptInputs{Create: pointer("(sleep 2; touch " + marker + ") & wait")}})
	if err == nil {
		t.Fatal("it was not interrupted")
	}
	time.Sleep(2500 * time.Millisecond)
	if _, err := os.Stat(marker); !os.IsNotExist(err) {
		t.Fatal("what it started goes on")
	}
}

func TestTheFilesThatPathsNameAreReturned(t *testing.T) {
	folder := t.TempDir()
	state, err := createLocal(t.Context(), LocalInputs{
		ScriptInputs: ScriptInputs{Create: pointer("mkdir -p src/deep; touch a.txt src/b.js src/secret.js src/deep/c.js")},
		ProcessInputs: ProcessInputs{
			Dir: &folder, AssetPaths: &[]string{"*.txt", "src/**.js", "!**secret.*"}, ArchivePaths: &[]string{"src/*.js"},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	names := slices.Sorted(maps.Keys(*state.Assets))
	if got := strings.Join(names, " "); got != "a.txt src/b.js src/deep/c.js" {
		t.Fatalf("the assets are %s", got)
	}
	if path := (*state.Assets)["a.txt"].Asset.Path; path != filepath.Join(folder, "a.txt") {
		t.Fatalf("the path is %s", path)
	}
	inside, _ := state.Archive.GetAssets()
	if got := strings.Join(slices.Sorted(maps.Keys(inside)), " "); got != "src/b.js src/secret.js" {
		t.Fatalf("the archive holds %s", got)
	}
}

func TestRunReturnsWhatTheScriptPrints(t *testing.T) {
	response, err := Run{}.Invoke(t.Context(), infer.FunctionRequest[RunInputs]{Input: RunInputs{
		Command: `echo "$GREETING"; cat >&2`, Environment: &map[string]string{"GREETING": "hello"}, Stdin: pointer("given"), Logging: pointer(LogNone),
	}})
	if err != nil || response.Output.Stdout != "hello" || response.Output.Stderr != "given" {
		t.Fatalf("%+v %v", response.Output, err)
	}
}
