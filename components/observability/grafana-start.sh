#!/bin/sh
# Applies the current administrator's password before Grafana accepts a request, at every start: Grafana itself would take
# it only when it makes its database.
set -eu

homepath=/usr/share/grafana
config=/etc/autollm/grafana.ini

if [ -s /var/lib/grafana/grafana.db ]; then
  # It tells of a damaged database among its usual words.
  said=$("$homepath/bin/grafana" cli --homepath "$homepath" --config "$config" admin reset-admin-password --password-from-stdin \
    </run/secrets/grafana-admin 2>&1) || {
    echo "$said"
    exit 1
  }
fi

exec "$homepath/bin/grafana" server --homepath "$homepath" --config "$config"
