;; core memory 0 is not there
(component (core instance (export "m" (memory 0))))
