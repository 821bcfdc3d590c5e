;; "i": "g": it is needed, and not there
(component (import "f" (func $f)) (instance $i (export "f" (func $f))) (export "i" (instance $i) (instance (export "g" (func)))))
