// nodewatch as a monitoring mixin: the rules of deploy/prometheus and the dashboards of
// deploy/grafana, which are the only place where they are written.
{
  _config+:: {
    // The release that runbook links lead to, such as v0.1.0, or main.
    runbookRef: 'main',
    // false where nodewatch's own reporter alertmanager sends the findings.
    findings: true,
  },

  local config = self._config,
  local groups(file) = std.parseYaml(std.strReplace(file, '/blob/main/', '/blob/%s/' % config.runbookRef)).groups,

  prometheusRules+:: {
    groups+: groups(importstr '../prometheus/recording.yml'),
  },

  prometheusAlerts+:: {
    groups+: (if config.findings then groups(importstr '../prometheus/findings.yml') else [])
             + groups(importstr '../prometheus/health.yml')
             + groups(importstr '../prometheus/fleet.yml')
             + groups(importstr '../prometheus/status.yml'),
  },

  grafanaDashboards+:: {
    'nodewatch-fleet.json': import '../grafana/nodewatch-fleet.json',
    'nodewatch-node.json': import '../grafana/nodewatch-node.json',
  },
}
