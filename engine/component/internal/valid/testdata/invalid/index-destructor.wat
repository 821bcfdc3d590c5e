;; core function 0 is not there
(component (type (resource (rep i32) (dtor (core func 0)))))
