// The package builds what any Jsonnet engine evaluates this file to with `-J vendor`.
local mixin =
  (import 'prometheus-mixin/mixin.libsonnet')
  + (import 'etcd-mixin/mixin.libsonnet')
  + { _config+:: { prometheusSelector: 'job="prometheus"', etcd_selector: 'job="etcd"' } };
{
  'alerts.yaml': std.manifestYamlDoc(mixin.prometheusAlerts),
  'etcd.json': mixin.grafanaDashboards['etcd.json'],
}
