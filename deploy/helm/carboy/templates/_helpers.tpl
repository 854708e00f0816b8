{{- define "carboy.labels" -}}
app.kubernetes.io/name: carboy
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end }}

{{- define "carboy.pod" -}}
automountServiceAccountToken: false
terminationGracePeriodSeconds: 60
securityContext:
  runAsNonRoot: true
  runAsUser: 10001
  seccompProfile: {type: RuntimeDefault}
volumes:
  - name: tmp
    emptyDir: {}
{{- end }}

{{- /* No ConfigMap: a change of settings changes the pods, which are replaced, and the migration has the new ones. */ -}}
{{- define "carboy.container" -}}
image: {{ .Values.image | quote }}
env:
  - {name: CARBOY_METRICS__PORT, value: "9464"}
  - {name: CARBOY_METRICS__HOST, value: 0.0.0.0}
  {{- range $name, $value := .Values.settings }}
  - {name: {{ $name }}, value: {{ $value | quote }}}
  {{- end }}
envFrom:
  - secretRef: {name: {{ .Values.secret }}}
resources: {{ toYaml .Values.resources | nindent 2 }}
volumeMounts:
  - name: tmp
    mountPath: /tmp
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities: {drop: [ALL]}
{{- end }}
