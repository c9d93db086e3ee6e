#!/usr/bin/env bash
# Builds Grafana's pages in the folder of its source. As a Go module that source lacks what is made up for here.
set -euo pipefail

# A module has no folders named vendor. This one draws gauges and the former panels, written for Angular: no dashboard has them.
for file in bootstrap/bootstrap tagsinput/bootstrap-tagsinput plugin-text/text \
  flot/jquery.flot{,.crosshair,.dashes,.fillbelow,.gauge,.selection,.stack,.stackpercent,.time}; do
  mkdir -p "public/vendor/${file%/*}"
  : > "public/vendor/$file.js"
done
# One package is named by an address of its own, where no registry is; npm's own release of it serves as well.
sed --in-place 's#"xlsx": "https:[^"]*"#"xlsx": "0.18.5"#' package.json

YARN_NPM_REGISTRY_SERVER=$(npm config get registry)
export YARN_NPM_REGISTRY_SERVER
# Another package lives in a git repository: the source brings it in this folder's own cache.
export YARN_ENABLE_GLOBAL_CACHE=false YARN_GLOBAL_FOLDER="$PWD/.yarn/global"
# What the packages would run at their installation, such as the download of a browser, is for Grafana's own developers.
export YARN_ENABLE_SCRIPTS=false YARN_ENABLE_IMMUTABLE_INSTALLS=false
export YARN_ENABLE_PROGRESS_BARS=false YARN_HTTP_TIMEOUT=120000

case $(uname -m) in
  aarch64 | arm64) arch=arm64 ;;
  *) arch=x64 ;;
esac
# The Node of its time: with newer ones, this yarn's packages cannot be loaded.
yarn() {
  npx --yes --package="node-linux-$arch@18.20.8" -- node .yarn/releases/yarn-3.4.1.cjs "$@"
}
yarn install
NODE_ENV=production NODE_OPTIONS=--max-old-space-size=4096 \
  yarn webpack --config scripts/webpack/webpack.prod.js --env noTsCheck=1 --env noMinify=1
find public/build -name '*.map' -delete
