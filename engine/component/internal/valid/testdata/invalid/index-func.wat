;; function 0 is not there
(component (export "f" (func 0)))
