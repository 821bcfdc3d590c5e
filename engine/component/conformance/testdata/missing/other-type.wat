;; unsupported: functions that the host has with another type
;; missing: get-random-u64
(component (import "wasi:random/random@0.2.0" (instance (export "get-random-u64" (func (result u32))))))
