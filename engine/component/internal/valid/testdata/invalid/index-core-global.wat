;; core global 0 is not there
(component (core instance (export "g" (global 0))))
