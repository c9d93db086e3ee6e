// Package shim opens the upstream provider, which keeps its code internal, to this module.
package shim

import (
	fw "github.com/hashicorp/terraform-plugin-framework/provider"
	"github.com/hashicorp/terraform-provider-tls/internal/provider"
)

// New makes the upstream provider.
func New() fw.Provider { return provider.New() }
