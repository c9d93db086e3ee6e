// Package shim opens the upstream provider, which keeps its code internal, to this module.
package shim

import (
	"github.com/hashicorp/terraform-plugin-sdk/v2/helper/schema"
	"github.com/terraform-providers/terraform-provider-docker/internal/provider"
)

// New makes the upstream provider.
func New() *schema.Provider { return provider.New("dev")() }
