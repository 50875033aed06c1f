// The PrometheusRule of the Prometheus operator, as YAML:
//   jsonnet -S --tla-str ref=v0.1.0 prometheusrule.jsonnet
local mixin = import 'mixin.libsonnet';

function(ref='main')
  local m = mixin { _config+:: { runbookRef: ref } };
  std.manifestYamlDoc({
    apiVersion: 'monitoring.coreos.com/v1',
    kind: 'PrometheusRule',
    metadata: {
      name: 'nodewatch',
      labels: { 'app.kubernetes.io/name': 'nodewatch' },
    },
    spec: { groups: m.prometheusRules.groups + m.prometheusAlerts.groups },
  }, indent_array_in_object=true, quote_keys=false)
