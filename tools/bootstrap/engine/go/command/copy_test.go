package command

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pulumi/pulumi-go-provider/infer"
	"github.com/pulumi/pulumi-go-provider/infer/types"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
)

func asset(t *testing.T, path string) types.AssetOrArchive {
	t.Helper()
	asset, err := resource.NewPathAsset(path)
	if err != nil {
		t.Fatal(err)
	}
	return types.AssetOrArchive{Asset: asset}
}

func archive(t *testing.T, path string) types.AssetOrArchive {
	t.Helper()
	archive, err := resource.NewPathArchive(path)
	if err != nil {
		t.Fatal(err)
	}
	return types.AssetOrArchive{Archive: archive}
}

func copyTo(t *testing.T, host server, source types.AssetOrArchive, target string) error {
	t.Helper()
	_, err := CopyToRemote{}.Create(t.Context(), infer.CreateRequest[CopyInputs]{
		Name: "test", Inputs: CopyInputs{Connection: &host.connection, Source: source, RemotePath: target},
	})
	return err
}

// tree lists the files below a folder.
func tree(t *testing.T, folder string) string {
	t.Helper()
	var files []string
	err := filepath.WalkDir(folder, func(path string, entry os.DirEntry, err error) error {
		if err == nil && !entry.IsDir() {
			relative, _ := filepath.Rel(folder, path)
			files = append(files, relative)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(files, " ")
}

func TestWhatIsThereDecidesWhereACopyGoes(t *testing.T) {
	host := startServer(t)
	source := filepath.Join(t.TempDir(), "source")
	if err := os.MkdirAll(filepath.Join(source, "deep"), 0o755); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(source, "a"), "A")
	write(t, filepath.Join(source, "deep", "b"), "B")
	file, folder, contents := asset(t, filepath.Join(source, "a")), archive(t, source), archive(t, source+"/")

	for _, test := range []struct {
		name   string
		source types.AssetOrArchive
		// there is what the target holds before: nothing, a folder, or a file.
		there string
		want  string
		fails bool
	}{
		{"file to nothing", file, "nothing", "target", false},
		{"file to folder", file, "folder", "target/a", false},
		{"file to file", file, "file", "target", false},
		{"folder to nothing", folder, "nothing", "target/source/a target/source/deep/b", false},
		{"folder to folder", folder, "folder", "target/source/a target/source/deep/b", false},
		{"folder to file", folder, "file", "target", true},
		{"contents to nothing", contents, "nothing", "target/a target/deep/b", false},
		{"contents to folder", contents, "folder", "target/a target/deep/b", false},
		{"contents to file", contents, "file", "target", true},
	} {
		t.Run(test.name, func(t *testing.T) {
			place := t.TempDir()
			target := filepath.Join(place, "target")
			switch test.there {
			case "folder":
				if err := os.Mkdir(target, 0o755); err != nil {
					t.Fatal(err)
				}
			case "file":
				write(t, target, "old")
			}
			if err := copyTo(t, host, test.source, target); (err != nil) != test.fails {
				t.Fatalf("the error is %v", err)
			}
			if got := tree(t, place); got != test.want {
				t.Fatalf("there is %s", got)
			}
		})
	}
}

func TestAFolderInWhichTheTargetWouldLieMustExist(t *testing.T) {
	host := startServer(t)
	source := filepath.Join(t.TempDir(), "a")
	write(t, source, "A")
	wantError(t, copyTo(t, host, asset(t, source), filepath.Join(t.TempDir(), "no", "such", "a")), "making")
}

func TestAnUpdateCopiesOnlyWhatChanged(t *testing.T) {
	host := startServer(t)
	source, target := filepath.Join(t.TempDir(), "a"), filepath.Join(t.TempDir(), "b")
	write(t, source, "one")
	before := CopyInputs{Connection: &host.connection, Source: asset(t, source), RemotePath: target}
	update := func(inputs CopyInputs) {
		t.Helper()
		_, err := CopyToRemote{}.Update(t.Context(), infer.UpdateRequest[CopyInputs, CopyState]{State: CopyState{before}, Inputs: inputs})
		if err != nil {
			t.Fatal(err)
		}
	}
	update(before)
	if _, err := os.Stat(target); !os.IsNotExist(err) {
		t.Fatal("it was copied although nothing changed")
	}
	write(t, source, "two")
	after := before
	after.Source = asset(t, source)
	update(after)
	if text := read(t, target); text != "two" {
		t.Fatalf("there is %q", text)
	}
}
