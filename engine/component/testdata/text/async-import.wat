;; Calls its host without waiting, which belongs to WASI 0.3.
(component
  (import "example:later/thing" (instance $later (export "wait" (func async (result u32)))))
  (core module $m (memory (export "memory") 1))
  (core instance $i (instantiate $m))
  (alias export $later "wait" (func $wait))
  (alias core export $i "memory" (core memory $memory))
  (core func (canon lower (func $wait) async (memory $memory))))
