;; instance 0 is not there
(component (export "i" (instance 0)))
