// Package docker maps the Terraform provider's resources to the official plugin's tokens.
package docker

import (
	"github.com/pulumi/pulumi-terraform-bridge/v3/pkg/tfbridge"
	"github.com/pulumi/pulumi-terraform-bridge/v3/pkg/tfbridge/tokens"
	sdkv2 "github.com/pulumi/pulumi-terraform-bridge/v3/pkg/tfshim/sdk-v2"
	"github.com/terraform-providers/terraform-provider-docker/shim"

	"autollm.local/engine/version"
)

// Names that the official plugin gives otherwise than by rule.
var renamed = map[string]*tfbridge.ResourceInfo{
	"docker_image":  {Tok: "docker:index/remoteImage:RemoteImage"},
	"docker_config": {Tok: "docker:index/serviceConfig:ServiceConfig"},
}

// Info describes the provider to the bridge.
func Info(metadata []byte) tfbridge.ProviderInfo {
	info := tfbridge.ProviderInfo{
		P:            sdkv2.NewProvider(shim.New()),
		Name:         "docker",
		Version:      version.Docker,
		MetadataInfo: tfbridge.NewProviderMetadata(metadata),
		Resources:    renamed,
	}
	info.MustComputeTokens(tokens.SingleModule("docker_", "index", tokens.MakeStandard("docker")))
	info.SetAutonaming(255, "-")
	return info
}
