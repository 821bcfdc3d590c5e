(component (import "a" (func $a)) (export "a" (func $a)))
