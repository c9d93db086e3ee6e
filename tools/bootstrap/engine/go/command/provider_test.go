package command

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/blang/semver"
	p "github.com/pulumi/pulumi-go-provider"
	"github.com/pulumi/pulumi-go-provider/integration"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/property"
)

// These tests talk to the provider as the engine does.

func startProvider(t *testing.T) integration.Server {
	t.Helper()
	server, err := integration.NewServer(t.Context(), "command", semver.MustParse("1.2.1"), integration.WithProvider(Provider()))
	if err != nil {
		t.Fatal(err)
	}
	return server
}

func urn(kind string) resource.URN {
	return resource.URN("urn:pulumi:stack::project::command:" + kind + "::name")
}

func properties(values map[string]property.Value) property.Map { return property.NewMap(values) }

func text(value string) property.Value { return property.New(value) }

func list(values ...string) property.Value {
	var items []property.Value
	for _, value := range values {
		items = append(items, text(value))
	}
	return property.New(items)
}

// That a trigger replaces is the SDK's work, which tells the engine so of `triggers[*]`; test/e2e/engine.test.ts sees it.
func TestAChangeOfAnyInputIsSeenAndNothingElseIs(t *testing.T) {
	provider := startProvider(t)
	before := map[string]property.Value{"create": text("true"), "triggers": list("one", "two")}
	for name, test := range map[string]struct {
		input   string
		value   property.Value
		kind    p.DiffKind
		changes bool
	}{
		"nothing":   {"create", text("true"), "", false},
		"a trigger": {"triggers", list("one", "three"), p.Update, true},
		"stdin":     {"stdin", text("given"), p.Add, true},
		"create":    {"create", text("false"), p.Update, true},
	} {
		after := map[string]property.Value{"create": before["create"], "triggers": before["triggers"]}
		after[test.input] = test.value
		state := map[string]property.Value{"stdout": text(""), "stderr": text("")}
		for key, value := range before {
			state[key] = value
		}
		diff, err := provider.Diff(p.DiffRequest{
			ID: "id", Urn: urn("local:Command"), State: properties(state), OldInputs: properties(before), Inputs: properties(after),
		})
		if err != nil {
			t.Fatal(err)
		}
		if diff.HasChanges != test.changes {
			t.Errorf("%s: changes %v", name, diff.HasChanges)
		}
		for path, property := range diff.DetailedDiff {
			if property.Kind != test.kind {
				t.Errorf("%s: %s is %s", name, path, property.Kind)
			}
		}
	}
}

func TestWhatAScriptMakesOfASecretIsSecret(t *testing.T) {
	provider := startProvider(t)
	inputs := map[string]property.Value{
		"create": text("cat; echo plain >&2"), "stdin": text("the secret").WithSecret(true), "logging": text("none"),
	}
	created, err := provider.Create(p.CreateRequest{Urn: urn("local:Command"), Properties: properties(inputs)})
	if err != nil {
		t.Fatal(err)
	}
	for _, output := range []string{"stdin", "stdout", "stderr"} {
		if !created.Properties.Get(output).Secret() {
			t.Errorf("%s is not secret", output)
		}
	}
	if created.Properties.Get("stdout").AsString() != "the secret" {
		t.Errorf("stdout is %v", created.Properties.Get("stdout"))
	}
	if created.Properties.Get("create").Secret() {
		t.Error("create is secret, and holds none")
	}
}

func TestAConnectionIsSecretAndItsDefaultsAreKept(t *testing.T) {
	provider := startProvider(t)
	checked, err := provider.Check(p.CheckRequest{Urn: urn("remote:Command"), Inputs: properties(map[string]property.Value{
		"create": text("true"), "connection": property.New(map[string]property.Value{"host": text("example.org")}),
	})})
	if err != nil || len(checked.Failures) > 0 {
		t.Fatal(err, checked.Failures)
	}
	connection := checked.Inputs.Get("connection")
	if !connection.Secret() {
		t.Error("it is not secret")
	}
	for name, want := range map[string]float64{"port": 22, "dialErrorLimit": 10, "perDialTimeout": 15} {
		if got := connection.AsMap().Get(name); !got.IsNumber() || got.AsNumber() != want {
			t.Errorf("%s is %v", name, got)
		}
	}
	if _, set := checked.Inputs.GetOk("addPreviousOutputInEnv"); set {
		t.Error("addPreviousOutputInEnv was added: the official provider leaves it out, so its state would differ")
	}
}

func TestWrongInputsAreRefusedBeforeAnythingRuns(t *testing.T) {
	provider := startProvider(t)
	connection := property.New(map[string]property.Value{"host": text("example.org")})
	inline, err := resource.NewTextAsset("text")
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		kind   string
		inputs map[string]property.Value
	}{
		"connection": {"remote:Command", map[string]property.Value{"create": text("true")}},
		"host":       {"remote:Command", map[string]property.Value{"connection": property.New(map[string]property.Value{})}},
		"source": {"remote:CopyToRemote", map[string]property.Value{
			"connection": connection, "remotePath": text("/tmp/x"), "source": property.New(inline),
		}},
	} {
		checked, err := provider.Check(p.CheckRequest{Urn: urn(test.kind), Inputs: properties(test.inputs)})
		named := slices.ContainsFunc(checked.Failures, func(failure p.CheckFailure) bool {
			return strings.Contains(failure.Property+failure.Reason, name)
		})
		if err != nil || !named {
			t.Errorf("%s: %v %v", name, checked.Failures, err)
		}
	}
}

func TestAPreviewRunsNothingAndKnowsNothingOfTheOutput(t *testing.T) {
	provider := startProvider(t)
	marker := t.TempDir() + "/marker"
	created, err := provider.Create(p.CreateRequest{Urn: urn("local:Command"), DryRun: true, Properties: properties(map[string]property.Value{
		"create": text("touch " + marker),
	})})
	if err != nil {
		t.Fatal(err)
	}
	if !created.Properties.Get("stdout").IsComputed() {
		t.Errorf("stdout is %v", created.Properties.Get("stdout"))
	}
	if _, err := os.Stat(marker); err == nil {
		t.Error("the script ran")
	}
}

func TestTheSchemaHasTheOfficialTokens(t *testing.T) {
	schema, err := startProvider(t).GetSchema(p.GetSchemaRequest{})
	if err != nil {
		t.Fatal(err)
	}
	for _, token := range []string{
		"command:local:Command", "command:local:run", "command:remote:Command", "command:remote:CopyToRemote",
		"command:remote:Connection", "command:remote:ProxyConnection",
	} {
		if !strings.Contains(schema.Schema, `"`+token+`"`) {
			t.Errorf("there is no %s", token)
		}
	}
}
