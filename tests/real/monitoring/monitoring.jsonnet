// What any engine of Jsonnet computes of this file with `-J vendor` is what the package builds.
local mixin =
  (import 'prometheus-mixin/mixin.libsonnet')
  + (import 'etcd-mixin/mixin.libsonnet')
  + { _config+:: { prometheusSelector: 'job="prometheus"', etcd_selector: 'job="etcd"' } };
{
  'alerts.yaml': std.manifestYamlDoc(mixin.prometheusAlerts),
  'etcd.json': mixin.grafanaDashboards['etcd.json'],
}
