(component (import "f" (func $f)) (instance $i (export "f" (func $f)) (export "g" (func $f))) (export "i" (instance $i) (instance (export "f" (func)))))
