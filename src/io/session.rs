//! The methods of a session that do not wait, for the `Connection` of either adapter.

/// Makes the methods of a `Connection`, which has a machine and a stopper, and accepts a `Socket`.
macro_rules! session {
    () => {
        impl<M, S> Connection<M, S> {
            /// Returns the machine.
            #[must_use]
            pub fn machine(&self) -> &M {
                &self.driver.machine
            }

            /// Returns the machine, to change it from outside (to shut it down, to wake it up).
            #[must_use]
            pub fn machine_mut(&mut self) -> &mut M {
                &mut self.driver.machine
            }
        }

        impl<M: $crate::io::AsClient, S> Connection<M, S> {
            /// Returns the client, whether it is inside a layer or not.
            #[must_use]
            pub fn client(&self) -> &Client {
                self.driver.machine.as_client()
            }

            /// Returns the client, to change it from outside.
            #[must_use]
            pub fn client_mut(&mut self) -> &mut Client {
                self.driver.machine.as_client_mut()
            }
        }

        impl<M: $crate::io::AsServer, S> Connection<M, S> {
            /// Returns the server, whether it is inside a layer or not.
            #[must_use]
            pub fn server(&self) -> &Server {
                self.driver.machine.as_server()
            }

            /// Returns the server, to change it from outside (to shut it down, to configure it).
            #[must_use]
            pub fn server_mut(&mut self) -> &mut Server {
                self.driver.machine.as_server_mut()
            }

            /// Returns a handle that ends the session from another task or thread.
            #[must_use]
            pub fn stopper(&mut self) -> $crate::io::Stopper {
                let stopper = &mut self.driver.stopper;
                stopper.get_or_insert_with(|| Attached::new($crate::io::Stopper::new())).stopper()
            }

            /// Attaches the session to a handle that ends it from another task or thread, and that it may
            /// share with other sessions.
            #[must_use]
            pub fn with_stopper(mut self, stopper: &$crate::io::Stopper) -> Self {
                self.driver.stopper = Some(Attached::new(stopper.clone()));
                self
            }
        }

        /// The place where a session of `serve` comes back that its function drops before its end.
        pub(super) type SessionHome = Home<Driver<Layer<Server>, Socket>>;

        impl ServerSession {
            /// Returns the place where a session comes back.
            pub(super) fn home(config: &Arc<$crate::server::Config>) -> Arc<SessionHome> {
                let stand_in = |config| {
                    let server =
                        Server::new(config, $crate::server::Peer::UNKNOWN, Security::CLEAR);
                    Self::new(server.into(), Socket::none()).driver.into_inner()
                };
                Home::new(config, stand_in, Driver::is_over)
            }

            /// Lends the session to a holder that may drop it before its end.
            pub(super) fn lent(self, home: &Arc<SessionHome>) -> Self {
                Self { driver: home.lend(self.driver.into_inner()) }
            }

            /// Returns the session that has come back. It ends with its next need, as its application has failed.
            pub(super) fn returned(home: &SessionHome) -> Option<Self> {
                let mut session = Self { driver: Lent::Own(home.returned()?) };
                session.server_mut().fail();
                Some(session)
            }

            /// Creates the server's side of an accepted connection in the clear.
            ///
            /// # Errors
            ///
            /// [`ErrorKind::InvalidInput`](std::io::ErrorKind::InvalidInput): it is LMTP on port 25 (RFC 2033
            /// section 5), or the configuration cannot work without TLS
            /// ([`Config::check`](crate::server::Config::check), whose error is the inner one).
            pub fn accept(
                stream: impl Into<Socket>,
                config: alloc::sync::Arc<$crate::server::Config>,
            ) -> std::io::Result<Self> {
                let stream = stream.into();
                let server = $crate::io::server(config, stream.local(), stream.peer())?;
                Ok(Self::new(server.into(), stream))
            }

            /// Creates the server's side of an accepted connection that offers STARTTLS (RFC 3207), whether the
            /// configuration names that extension or not.
            ///
            /// # Errors
            ///
            /// [`ErrorKind::InvalidInput`](std::io::ErrorKind::InvalidInput): it is LMTP on port 25 (RFC 2033
            /// section 5), or the configuration cannot work
            /// ([`Config::check_in_tls_layer`](crate::server::Config::check_in_tls_layer), whose error is the
            /// inner one).
            #[cfg(feature = "rustls")]
            pub fn accept_tls(
                stream: impl Into<Socket>,
                config: alloc::sync::Arc<$crate::server::Config>,
                tls: &$crate::tls::ServerTls,
            ) -> std::io::Result<Self> {
                let stream = stream.into();
                let config = $crate::io::with_start_tls(config);
                let server = $crate::io::server_in_layer(config, stream.local(), stream.peer())?;
                Ok(Self::new($crate::tls::Secured::start_tls(server, tls).into(), stream))
            }

            /// Creates the server's side of an accepted connection in TLS from the first octet (implicit TLS,
            /// RFC 8314).
            ///
            /// # Errors
            ///
            /// [`ErrorKind::InvalidInput`](std::io::ErrorKind::InvalidInput): it is LMTP on port 25 (RFC 2033
            /// section 5), or the configuration cannot work
            /// ([`Config::check_in_tls_layer`](crate::server::Config::check_in_tls_layer), whose error is the
            /// inner one).
            #[cfg(feature = "rustls")]
            pub fn accept_implicit_tls(
                stream: impl Into<Socket>,
                config: alloc::sync::Arc<$crate::server::Config>,
                tls: &$crate::tls::ServerTls,
            ) -> std::io::Result<Self> {
                let stream = stream.into();
                let server = $crate::io::server_in_layer(config, stream.local(), stream.peer())?;
                Ok(Self::new($crate::tls::Secured::implicit(server, tls).into(), stream))
            }
        }
    };
}

pub(super) use session;
