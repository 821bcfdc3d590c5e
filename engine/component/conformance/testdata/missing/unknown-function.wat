;; unsupported: functions that an interface of the host does not have
;; missing: nothing
(component (import "wasi:random/random@0.2.0" (instance (export "nothing" (func)))))
