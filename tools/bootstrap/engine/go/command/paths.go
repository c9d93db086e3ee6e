package command

import (
	"io/fs"
	"os"
	"path"
	"strings"

	"github.com/gobwas/glob"
	"github.com/pulumi/pulumi-go-provider/infer/types"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
)

// FileOutputs are the files that a local script left behind, as far as they were asked for.
type FileOutputs struct {
	Assets  *map[string]types.AssetOrArchive `pulumi:"assets,optional"`
	Archive *resource.Archive                `pulumi:"archive,optional"`
}

// files collects what `assetPaths` and `archivePaths` name, after the script has run.
func (inputs ProcessInputs) files() (FileOutputs, error) {
	var outputs FileOutputs
	if inputs.AssetPaths != nil {
		assets, err := inputs.matching(*inputs.AssetPaths)
		if err != nil {
			return outputs, err
		}
		either := make(map[string]types.AssetOrArchive, len(assets))
		for name, asset := range assets {
			either[name] = types.AssetOrArchive{Asset: asset}
		}
		outputs.Assets = &either
	}
	if inputs.ArchivePaths != nil {
		assets, err := inputs.matching(*inputs.ArchivePaths)
		if err != nil {
			return outputs, err
		}
		contents := make(map[string]any, len(assets))
		for name, asset := range assets {
			contents[name] = asset
		}
		if outputs.Archive, err = resource.NewAssetArchive(contents); err != nil {
			return outputs, err
		}
	}
	return outputs, nil
}

// rule takes files in, or out again where its pattern began with `!`.
type rule struct {
	pattern glob.Glob
	exclude bool
}

// matching lists the files below the script's directory that the rules leave in: the last rule that fits a file decides.
func (inputs ProcessInputs) matching(patterns []string) (map[string]*resource.Asset, error) {
	rules := make([]rule, len(patterns))
	for i, text := range patterns {
		bare, exclude := strings.CutPrefix(text, "!")
		pattern, err := glob.Compile(bare, '/')
		if err != nil {
			return nil, err
		}
		rules[i] = rule{pattern, exclude}
	}
	folder := valueOr(inputs.Dir, "")
	if folder == "" {
		var err error
		if folder, err = os.Getwd(); err != nil {
			return nil, err
		}
	}
	assets := map[string]*resource.Asset{}
	err := fs.WalkDir(os.DirFS(folder), ".", func(file string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		taken := false
		for _, rule := range rules {
			if rule.pattern.Match(file) {
				taken = !rule.exclude
			}
		}
		if taken {
			assets[file], err = resource.NewPathAsset(path.Join(folder, file))
		}
		return err
	})
	return assets, err
}
