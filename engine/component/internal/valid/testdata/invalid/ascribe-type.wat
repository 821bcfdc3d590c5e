;; the type of the export "f": a function has 0 parameters, where 1 are needed
(component (import "a" (func $a)) (export "f" (func $a) (func (param "x" u8))))
