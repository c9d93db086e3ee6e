package langhost

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"sort"

	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
)

// manifest is what is read of a package.json.
type manifest struct {
	Version      string            `json:"version"`
	Dependencies map[string]string `json:"dependencies"`
}

func readManifest(folder string) (manifest, error) {
	var m manifest
	text, err := os.ReadFile(filepath.Join(folder, "package.json"))
	if err != nil {
		return m, err
	}
	return m, json.Unmarshal(text, &m)
}

// GetProgramDependencies lists the program's direct dependencies, with the version that is installed where one is.
func (h *Host) GetProgramDependencies(
	_ context.Context, request *pulumirpc.GetProgramDependenciesRequest,
) (*pulumirpc.GetProgramDependenciesResponse, error) {
	folder, program, err := programManifest(request.GetInfo())
	if err != nil {
		return nil, err
	}
	response := &pulumirpc.GetProgramDependenciesResponse{}
	for name, version := range program.Dependencies {
		if installed, err := readManifest(filepath.Join(folder, "node_modules", name)); err == nil {
			version = installed.Version
		}
		response.Dependencies = append(response.Dependencies, &pulumirpc.DependencyInfo{Name: name, Version: version})
	}
	sort.Slice(response.Dependencies, func(i, j int) bool {
		return response.Dependencies[i].GetName() < response.Dependencies[j].GetName()
	})
	return response, nil
}

// programManifest finds the program's package.json: beside its entry point, or in a folder above.
func programManifest(info *pulumirpc.ProgramInfo) (string, manifest, error) {
	entry := filepath.Join(info.GetProgramDirectory(), info.GetEntryPoint())
	for folder := entry; ; folder = filepath.Dir(folder) {
		found, err := readManifest(folder)
		if err == nil {
			return folder, found, nil
		}
		if folder == filepath.Dir(folder) {
			return "", found, fmt.Errorf("no package.json in %s or above it: %w", filepath.Dir(entry), fs.ErrNotExist)
		}
		var syntax *json.SyntaxError
		if errors.As(err, &syntax) {
			return "", found, fmt.Errorf("%s: %w", filepath.Join(folder, "package.json"), err)
		}
	}
}

// InstallDependencies runs npm, as the lock file says where there is one.
func (h *Host) InstallDependencies(
	request *pulumirpc.InstallDependenciesRequest, stream pulumirpc.LanguageRuntime_InstallDependenciesServer,
) error {
	folder := request.GetInfo().GetProgramDirectory()
	npm := exec.CommandContext(stream.Context(), "npm", installArgs(folder)...)
	npm.Dir = folder
	out := writer(func(chunk []byte) error {
		return stream.Send(&pulumirpc.InstallDependenciesResponse{Stdout: chunk})
	})
	// One writer for both, which exec then does not call from two sides at once.
	npm.Stdout, npm.Stderr = &out, &out
	if err := npm.Run(); err != nil {
		return fmt.Errorf("npm in %s: %w", folder, err)
	}
	return nil
}

func installArgs(folder string) []string {
	if _, err := os.Stat(filepath.Join(folder, "package-lock.json")); err == nil {
		return []string{"ci"}
	}
	return []string{"install"}
}
