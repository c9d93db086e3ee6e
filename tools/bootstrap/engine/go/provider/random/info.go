// Package random maps the Terraform provider's resources to the official plugin's tokens.
package random

import (
	pf "github.com/pulumi/pulumi-terraform-bridge/v3/pkg/pf/tfbridge"
	"github.com/pulumi/pulumi-terraform-bridge/v3/pkg/tfbridge"
	"github.com/pulumi/pulumi-terraform-bridge/v3/pkg/tfbridge/tokens"
	"github.com/terraform-providers/terraform-provider-random/shim"

	"autollm.local/engine/version"
)

// Info describes the provider to the bridge.
func Info(metadata []byte) tfbridge.ProviderInfo {
	info := tfbridge.ProviderInfo{
		P:            pf.ShimProvider(shim.New()),
		Name:         "random",
		Version:      version.Random,
		MetadataInfo: tfbridge.NewProviderMetadata(metadata),
	}
	standard := tokens.MakeStandard("random")
	// random_password is RandomPassword: the official names carry the provider's own name.
	info.MustComputeTokens(tokens.SingleModule("random_", "index", func(module, name string) (string, error) {
		return standard(module, "Random"+name)
	}))
	return info
}
