;; core type 0 is not there
(component (core type (func)) (core type (module (export "a" (func (type 0))))))
