local monitoring = import 'monitoring.jsonnet';
function(wake, pkg) wake.module(
  'rules',
  files=function(wake, module) [
    wake.file('./alerts.yaml', text=monitoring['alerts.yaml']),
    wake.file('./etcd.json', from=monitoring['etcd.json'], dump=true),
  ],
  outputs=function(wake, pkg) { alerts: './alerts.yaml', dashboard: './etcd.json' },
)
