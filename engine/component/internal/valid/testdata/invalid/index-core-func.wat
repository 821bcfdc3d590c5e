;; core function 0 is not there
(component (core instance (export "f" (func 0))))
