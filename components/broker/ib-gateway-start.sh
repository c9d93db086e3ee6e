#!/bin/bash
# Starts IB Gateway by its image's own script, which reads the password from a file, but not the name of the user.
set -euo pipefail

# The image brings this folder for the X server, which makes none where it is not root. Here /tmp begins empty.
mkdir -p /tmp/.X11-unix
chmod 1777 /tmp/.X11-unix

TWS_USERID=$(</run/secrets/tws-userid)
export TWS_USERID
exec /home/ibgateway/scripts/run.sh
