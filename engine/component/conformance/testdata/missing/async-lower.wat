;; unsupported: functions that are lowered asynchronously
;; refused: async functions
(component (import "f" (func $f async)) (core module $m (memory (export "m") 1)) (core instance $i (instantiate $m)) (core func (canon lower (func $f) async (memory (core memory $i "m")))))
