;; "a": the name is there already, as "a"
(component (import "f" (func $f)) (export "a" (func $f)) (export "a" (func $f)))
