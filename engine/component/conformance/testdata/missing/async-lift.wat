;; unsupported: functions that are lifted asynchronously
;; refused: async functions
(component (core module $m (func (export "f")) (memory (export "m") 1)) (core instance $i (instantiate $m)) (func $f async (canon lift (core func $i "f") async (memory (core memory $i "m")))))
