//go:build tools

// Package engine lists what the build takes from other modules as whole programs.
package engine

import (
	_ "github.com/pulumi/pulumi/pkg/v3/cmd/pulumi"
)
